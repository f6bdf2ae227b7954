# mail: plain list
require "duplicate";
if duplicate :handle "h" :header "subject" :seconds 60 { discard; }
