# mail: plain list
require ["variables", "fileinto"];
if true { set "folder" "Lists"; }
fileinto "${FOLDER}";
