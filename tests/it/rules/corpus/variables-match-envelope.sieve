# mail: plain list
require ["variables", "reject", "envelope"];
if envelope :matches "to" "*+*@*" { reject "${2} of ${1}"; }
