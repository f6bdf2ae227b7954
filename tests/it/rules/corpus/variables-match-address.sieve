# mail: plain list
require ["variables", "reject"];
if address :matches "from" "*@*.net" { reject "${1} at ${2}"; }
