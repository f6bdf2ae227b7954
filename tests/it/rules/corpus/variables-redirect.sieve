# mail: plain list
require ["variables"];
set "u" "a";
redirect "${u}@example.com";
