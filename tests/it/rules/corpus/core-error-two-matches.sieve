# mail: plain list
if header :is :contains "a" "b" { keep; }
