-- SQLite
-- keep the values of goods (locks: Writers)
insert into erp_kept_rows (upgrade, table_name, row_id, data, deleted_at, version, last_version) select ?, 'plugin_erp_up_goods', id, data, deleted_at, version, version from "plugin_erp_up_goods";
-- rename goods to item (locks: Writers)
alter table "plugin_erp_up_goods" rename to "plugin_erp_up_item";
update plugin_entities set entity = 'item', table_name = 'plugin_erp_up_item' where plugin_id = 'erp-up' and entity = 'goods';
update erp_audit set entity = 'erp-up.item' where entity = 'erp-up.goods';
update erp_fixtures set fixture = 'item:' || substr(fixture, 7) where plugin_id = 'erp-up' and substr(fixture, 1, 6) = 'goods:';
-- take the columns of item away that change (locks: Writers)
drop index if exists "order:plugin_erp_up_goods:";
drop index if exists "order:plugin_erp_up_goods:contact";
drop index if exists "order:plugin_erp_up_goods:count";
drop index if exists "order:plugin_erp_up_goods:price";
drop index if exists "unique:plugin_erp_up_goods:sku";
-- rename fields of item (locks: Writers, writes every row)
update "plugin_erp_up_item" set data = json_set(json_remove(data, '$.sku'), '$.code', json(data -> '$.sku')) where data -> '$.sku' is not null;
-- item: split contact, merge into address, convert count, convert price (locks: Writers, by the host)
with changed (id, data) as (values (?, ?)) update "plugin_erp_up_item" set data = changed.data from changed where "plugin_erp_up_item".id = changed.id;
-- bring the table of item up to date (locks: Writers)
create index "order:plugin_erp_up_item:" on "plugin_erp_up_item" (tenant_id, id, deleted_at) where deleted_at is null;
create index "order:plugin_erp_up_item:count" on "plugin_erp_up_item" (tenant_id, json_extract(data, '$.count'), id, deleted_at) where deleted_at is null;
create index "order:plugin_erp_up_item:last_name" on "plugin_erp_up_item" (tenant_id, json_extract(data, '$.last_name'), id, deleted_at) where deleted_at is null;
create index "order:plugin_erp_up_item:price" on "plugin_erp_up_item" (tenant_id, json_extract(data, '$.price') collate decimal, id, deleted_at) where deleted_at is null;
create unique index "unique:plugin_erp_up_item:code" on "plugin_erp_up_item" (tenant_id, json_extract(data, '$.code')) where deleted_at is null;
-- item: backfill status, drop contact, drop street, drop city, drop secret, judge address, judge count, judge first_name, judge last_name, judge price, judge status (locks: Writers, by the host)
with changed (id, data) as (values (?, ?)) update "plugin_erp_up_item" set data = changed.data from changed where "plugin_erp_up_item".id = changed.id;
-- take old_log away (locks: Writers)
drop index if exists "order:plugin_erp_up_old_log:";
alter table "plugin_erp_up_old_log" rename to "plugin_erp_up_old_log~1";
insert into erp_kept_tables (plugin_id, table_name) values ('erp-up', 'plugin_erp_up_old_log~1') on conflict do nothing;
delete from plugin_entities where plugin_id = 'erp-up' and entity = 'old_log';
-- PostgreSQL
-- keep the values of goods (locks: None)
insert into erp_kept_rows (upgrade, table_name, row_id, data, deleted_at, version, last_version) select ?, 'plugin_erp_up_goods', id, data::text, deleted_at::text, version, version from "plugin_erp_up_goods";
-- rename goods to item (locks: Table)
alter table "plugin_erp_up_goods" rename to "plugin_erp_up_item";
update plugin_entities set entity = 'item', table_name = 'plugin_erp_up_item' where plugin_id = 'erp-up' and entity = 'goods';
update erp_audit set entity = 'erp-up.item' where entity = 'erp-up.goods';
update erp_fixtures set fixture = 'item:' || substr(fixture, 7) where plugin_id = 'erp-up' and substr(fixture, 1, 6) = 'goods:';
-- take the columns of item away that change (locks: Table)
drop index if exists "order:plugin_erp_up_goods:";
drop index if exists "order:plugin_erp_up_goods:contact";
drop index if exists "order:plugin_erp_up_goods:count";
drop index if exists "order:plugin_erp_up_goods:price";
drop index if exists "unique:plugin_erp_up_goods:sku";
alter table "plugin_erp_up_item" drop column "_f_sku";
alter table "plugin_erp_up_item" drop column "_f_contact";
alter table "plugin_erp_up_item" drop column "_f_count";
-- rename fields of item (locks: Rows, writes every row)
update "plugin_erp_up_item" set data = (data - 'sku') || jsonb_build_object('code', data -> 'sku') where jsonb_exists(data, 'sku');
-- item: split contact, merge into address, convert count, convert price (locks: Rows, by the host)
with changed (id, data) as (values (?, ?)) update "plugin_erp_up_item" set data = changed.data::jsonb from changed where "plugin_erp_up_item".id = changed.id;
-- bring the table of item up to date (locks: Table, writes every row)
alter table "plugin_erp_up_item" add column "_f_code" text collate "C" generated always as (((data ->> 'code') collate "C")) stored, add column "_f_last_name" text collate "C" generated always as (((data ->> 'last_name') collate "C")) stored, add column "_f_count" bigint generated always as (((data ->> 'count')::bigint)) stored;
create index "order:plugin_erp_up_item:" on "plugin_erp_up_item" (tenant_id, id) where deleted_at is null;
create index "order:plugin_erp_up_item:count" on "plugin_erp_up_item" (tenant_id, "_f_count" nulls first, id) where deleted_at is null;
create index "order:plugin_erp_up_item:last_name" on "plugin_erp_up_item" (tenant_id, "_f_last_name" nulls first, id) where deleted_at is null;
create index "order:plugin_erp_up_item:price" on "plugin_erp_up_item" (tenant_id, "_f_price" nulls first, id) where deleted_at is null;
create unique index "unique:plugin_erp_up_item:code" on "plugin_erp_up_item" (tenant_id, "_f_code") where deleted_at is null;
-- item: backfill status, drop contact, drop street, drop city, drop secret, judge address, judge count, judge first_name, judge last_name, judge price, judge status (locks: Rows, by the host)
with changed (id, data) as (values (?, ?)) update "plugin_erp_up_item" set data = changed.data::jsonb from changed where "plugin_erp_up_item".id = changed.id;
-- take old_log away (locks: Table)
drop index if exists "order:plugin_erp_up_old_log:";
alter table "plugin_erp_up_old_log" rename to "plugin_erp_up_old_log~1";
insert into erp_kept_tables (plugin_id, table_name) values ('erp-up', 'plugin_erp_up_old_log~1') on conflict do nothing;
delete from plugin_entities where plugin_id = 'erp-up' and entity = 'old_log';
