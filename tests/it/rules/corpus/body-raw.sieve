# mail: multi plain
require "body";
if body :raw :contains "invoice.exe" { discard; }
