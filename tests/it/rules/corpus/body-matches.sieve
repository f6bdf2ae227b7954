# mail: plain list
require "body";
if body :matches "*has*words*" { discard; }
