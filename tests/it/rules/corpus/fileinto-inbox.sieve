# mail: plain list
require "fileinto";
fileinto "INBOX";
keep;
