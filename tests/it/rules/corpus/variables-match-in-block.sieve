# mail: plain list
require ["variables", "reject"];
if true { if header :matches "subject" "*, *" { set "x" "1"; } }
reject "${2}${x}";
