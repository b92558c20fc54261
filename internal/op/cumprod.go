package op

func init() {
	register(Def{Type: "CumProd", Since: 26, MinIn: 2, MaxIn: 2, MaxOut: 1, New: func(s *Spec) (Op, error) {
		return newCumulative(s, true), nil
	}})
}
