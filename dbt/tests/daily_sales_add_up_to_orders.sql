-- Every order is in exactly one day, with its amount.
with

days as (
    select
        currency,
        sum(orders) as orders,
        sum(gross_sales) as gross_sales,
        sum(net_sales) as net_sales
    from {{ ref('fct_daily_sales') }}
    group by currency
),

orders as (
    select
        currency,
        count(*) as orders,
        sum(total) as gross_sales,
        sum(case when is_cancelled then 0 else total end) as net_sales
    from {{ ref('fct_orders') }}
    group by currency
)

(
    select
        currency,
        orders,
        gross_sales,
        net_sales
    from days
    except
    select
        currency,
        orders,
        gross_sales,
        net_sales
    from orders
)
union all
(
    select
        currency,
        orders,
        gross_sales,
        net_sales
    from orders
    except
    select
        currency,
        orders,
        gross_sales,
        net_sales
    from days
)
