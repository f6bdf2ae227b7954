# mail: plain list
if header :contains "x-none" "" { discard; }
