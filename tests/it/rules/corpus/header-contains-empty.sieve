# mail: plain list
if header :contains "x-empty" "" { discard; }
