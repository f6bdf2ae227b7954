# mail: plain list
require ["include", "variables", "fileinto"];
global "folder";
include :global "sets";
fileinto "${folder}";
