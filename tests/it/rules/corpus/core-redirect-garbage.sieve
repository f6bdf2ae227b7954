# mail: plain list
redirect "not an address";
