# mail: plain list
keep;
discard;
