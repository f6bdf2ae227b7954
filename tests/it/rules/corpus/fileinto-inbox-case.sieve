# mail: plain list
require "fileinto";
fileinto "inbox";
keep;
