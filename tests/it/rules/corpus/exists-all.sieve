# mail: plain list
if exists ["list-id", "precedence"] { discard; }
