# mail: multi
require "body";
if body :raw :contains "Gr=C3=BC" { discard; }
