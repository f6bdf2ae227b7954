# mail: plain list
if header :comparator "i;nonsense" "a" "b" { keep; }
