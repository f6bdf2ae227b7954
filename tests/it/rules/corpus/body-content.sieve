# mail: multi plain
require "body";
if body :content "text/html" :contains "<b>" { discard; }
