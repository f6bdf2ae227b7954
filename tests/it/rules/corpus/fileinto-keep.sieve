# mail: plain list
require "fileinto";
keep;
fileinto "Lists";
