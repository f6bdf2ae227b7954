# mail: plain list
if header :nonsense "a" "b" { keep; }
