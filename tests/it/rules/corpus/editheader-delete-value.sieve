# mail: plain list
require "editheader";
deleteheader :contains "X-Count" "2";
if header "x-count" "12" { discard; }
if header "x-count" "7" { redirect "a@example.com"; }
