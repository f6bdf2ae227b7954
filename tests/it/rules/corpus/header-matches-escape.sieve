# mail: plain list
if header :matches "subject" "\\[rust\\]*" { discard; }
