package main

import (
	"slices"
	"testing"
)

func TestWhereEtcdIs(t *testing.T) {
	for _, test := range []struct {
		env  string
		want []string
	}{
		{"", nil},
		{"http://a:2379", []string{"http://a:2379"}},
		{"http://a:2379,b:2379", []string{"http://a:2379", "b:2379"}},
	} {
		p := program{env: func(name string) string { return map[string]string{"RPCKIDS_ETCD": test.env}[name] }}
		if got := p.etcds(); !slices.Equal(got, test.want) {
			t.Errorf("RPCKIDS_ETCD=%q gave %q, want %q", test.env, got, test.want)
		}
		if r := p.client().Resolvers["etcd"]; r == nil {
			t.Errorf("RPCKIDS_ETCD=%q: connections cannot follow etcd targets", test.env)
		}
	}
}
