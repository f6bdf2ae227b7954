# mail: plain spam
require "reject";
if header :contains "subject" "won" { reject "No thanks\"!\""; }
