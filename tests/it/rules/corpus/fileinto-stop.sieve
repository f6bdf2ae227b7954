# mail: plain list
require "fileinto";
if exists "list-id" { fileinto "Lists"; stop; }
redirect "a@example.com";
