# mail: plain list
require ["include", "variables", "fileinto"];
include :global "sets";
fileinto "${global.folder}";
