# mail: folded plain
require ["relational", "comparator-i;ascii-numeric"];
if header :value "eq" :comparator "i;ascii-numeric" "x-score" "7" { discard; }
