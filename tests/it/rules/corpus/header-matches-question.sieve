# mail: plain list
if header :matches "x-priority" "?" { discard; }
