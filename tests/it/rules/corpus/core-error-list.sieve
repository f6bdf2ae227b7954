# mail: plain list
if header "a" ["b" "c"] { keep; }
