// What the host gives is no file.
export default { external: [/^erp:plugin\//] };
