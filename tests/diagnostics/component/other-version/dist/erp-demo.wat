(component $erp-older (core module (@producers (processed-by "erp-plugin" "0.1.0"))))
