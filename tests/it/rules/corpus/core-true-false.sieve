# mail: plain list
if true { if false { discard; } else { stop; } }
discard;
