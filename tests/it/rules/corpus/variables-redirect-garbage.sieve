# mail: plain list
require ["variables"];
set "u" "no address";
redirect "${u}";
