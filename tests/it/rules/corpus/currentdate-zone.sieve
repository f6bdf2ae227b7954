# mail: plain list
require ["date", "variables", "reject"];
if currentdate :zone "+0230" :matches "zone" "*" { reject "${1}"; }
