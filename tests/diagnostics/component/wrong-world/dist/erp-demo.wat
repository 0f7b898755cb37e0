(component (instance $api) (export "erp:plugin/plugin-api" (instance $api)))
