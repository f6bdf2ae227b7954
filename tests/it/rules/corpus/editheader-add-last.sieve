# mail: plain list
require ["editheader", "index"];
addheader :last "X-Count" "99";
if header :index 1 :last "x-count" "99" { discard; }
