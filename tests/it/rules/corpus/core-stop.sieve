# mail: plain list
stop;
discard;
