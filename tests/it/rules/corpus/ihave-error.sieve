# mail: plain list
require ["ihave"];
redirect "a@example.com";
error "stop here";
