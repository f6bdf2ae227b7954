# mail: plain list
if header :is "x-empty" "" { discard; }
