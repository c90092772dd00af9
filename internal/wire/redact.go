package wire

// Redact overwrites, in frames of version 2, whatever says who is calling with asterisks: the authorization of SETTINGS and that in metadata; and
// what cannot be read, since nobody knows what it holds. The frames stay as long as they were, so that all around it can still be looked
// at. It reports whether there was any.
func Redact(frames []byte) (found bool) {
	secret := false
	for _, p := range Dissect(V2, frames) {
		switch {
		case p.Role == RoleMeta && (p.Name == "setting" || p.Name == "key"):
			secret = p.Note == settingNames[setAuthorization] || p.Note == FieldAuthorization
		case p.Name == "value" && secret, p.Role == RoleBad:
			found, secret = true, false
			for i := range frames[p.At : p.At+p.Len] {
				frames[p.At+i] = '*'
			}
		}
	}
	return found
}
