# mail: plain list
discard;
