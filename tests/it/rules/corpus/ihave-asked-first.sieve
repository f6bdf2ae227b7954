# mail: plain
require "ihave";
if not ihave "fileinto" { error "no folders here"; }
fileinto "Lists";
