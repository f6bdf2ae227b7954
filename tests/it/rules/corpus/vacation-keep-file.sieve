# mail: plain list
require ["vacation", "fileinto"];
fileinto "Lists";
vacation :subject "s" "away";
