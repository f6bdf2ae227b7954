# mail: plain list
require ["variables", "reject"];
set "a" "one two three";
if string :matches "${a}" "* * *" { reject "${3}${2}${1}"; }
