(component (@custom "source" "/home/li/erp-demo/src/lib.rs"))
