# mail: plain list
require ["comparator-i;ascii-numeric"];
if header :is :comparator "i;ascii-numeric" "x-count" "0012" { discard; }
