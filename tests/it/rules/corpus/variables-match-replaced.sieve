# mail: plain
require ["variables", "reject"];
if header :matches "subject" "*o, *" { }
if header :matches "from" "*<*" { }
reject "1${1}2${2}";
