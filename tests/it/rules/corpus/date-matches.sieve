# mail: plain list
require ["date", "variables", "reject"];
if date :matches :zone "+0000" "date" "time" "*:*:*" { reject "${3} ${2} ${1}"; }
