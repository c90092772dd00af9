// Package shape holds type expressions: what a payload must look like, written as briefly as a person types it.
//
//	s, err := shape.Parse("{base:int, exp:int}")        // also int64, []string, map[string]int, *T, any, struct{...}, Long, List<Integer>
//	m := s.Check([]byte(`{"base":2}`))                  // m.Text: needs "exp" (int), missing    m.At: 9, the closing brace
//	s = shape.Infer([]byte(`{"value":1024}`))           // {value:int64}
//
// A shape is a JSON Schema written short: [Shape.Schema] writes it long, and what one accepts the other does. Checks walk the raw bytes, so each
// finding has its byte offset and 64-bit integers stay exact.
//
// The package does not decode payloads into Go values, and it follows no references: a shape is a tree.
package shape
